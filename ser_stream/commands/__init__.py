"""The subcommands of `ser-stream`, one file each; `cli` puts them together."""
