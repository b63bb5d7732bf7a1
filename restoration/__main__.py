"""`python -m restoration` is `restore`."""

from restoration.cli.main import main

if __name__ == "__main__":
    main()
