"""`ser-stream recognize`: many recordings, rows of what was recognised in them.

inputs       files, folders and lists -> the recordings, in order
rehearing    standard input and pipes as files that can be heard again
task         one recording -> its rows, a row a channel
workers      tasks on several processes of this machine, rows in the order of tasks
clusters     the same on ray or dask
journal      what is done, on disk: a run that was killed goes on
tables       rows -> JSON lines, CSV or text
output       where rows go: standard output, a file, or a document a recording
"""
