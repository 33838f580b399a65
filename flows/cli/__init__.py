"""The command line: a module a group of commands; heavy imports wait inside functions."""
