"""What the server does: the database, the queue, the supervisor. No torch, no Gradio."""
