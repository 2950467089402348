"""The training loop and what every experiment needs.

fit            the one loop: any task, epoch by epoch, resumable after a kill
checkpoint     weights, the configuration that rebuilds them, and the epoch
curves         figures of each epoch: CSV and PNG
experiment     a name, what decides a result, and how it is computed
result_store   results in files, locks, and refusal of another configuration
run_experiments  many, in many processes
array_file     arrays that are computed once
command_line   options that commands share
git_revision   which state of the code made a result
plotting       colours and sizes of all figures
templates      pages of results from jinja2
"""
