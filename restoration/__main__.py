"""`python -m restoration` is `restore`, and what launchers of several processes start."""

import os

os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # torch warns programmers, once in each process

from restoration.cli.main import main

if __name__ == "__main__":
    main()
