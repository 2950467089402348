"""What is gained by what a network was told of its speakers, on corpora left out.

voices          what a network says of the clips of a corpus, before it is told anything
scenes          who was heard before, and what was enrolled or taught
backprop_free   what others do without labels and without gradients
run             every scene on every corpus left out; `python -m training told`
"""
