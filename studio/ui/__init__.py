"""The page. Gradio only here."""
