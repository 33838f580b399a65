"""The command line, one module for each group of commands; slow imports are inside the functions.

`output` prints what they found or did.
"""
