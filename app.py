"""Starts the studio: python app.py. The settings are environment variables, see studio/settings.py."""

import sys

# Nothing above or below this may need a newer Python to be parsed.
if sys.version_info < (3, 11):  # noqa: UP036
    sys.exit("Sentence Studio needs Python 3.11 or newer; this is Python %d.%d." % sys.version_info[:2])  # noqa: UP031


def main():
    from pydantic import ValidationError

    from studio.settings import Settings
    from studio.ui.server import run

    try:
        settings = Settings()
    except ValidationError as error:
        first = error.errors()[0]
        print("sentence-studio: STUDIO_%s: %s." % (str(first["loc"][0]).upper(), first["msg"]), file=sys.stderr)  # noqa: UP031
        return 2
    return run(settings)


if __name__ == "__main__":
    sys.exit(main())
