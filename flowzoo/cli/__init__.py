"""The `flowzoo` command: one small file for each subcommand."""
