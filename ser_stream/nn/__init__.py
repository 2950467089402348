"""The torch side shared by training and adaptation: needs the extra `train` or `adapt`.

build       a network by its kind and configuration
cpac        the network, whole and in its streaming form
whisper     Whisper's first blocks, frozen, in front of CPAC's head
mdd         margin disparity discrepancy, the loss of CAAM
masked      cross-entropy where a corpus has no say about some classes
onnx_pair   a network -> its two graphs, encoder and head
cpu_ops     operations that torch is slow at on a CPU, written otherwise

In the runtime only `adaptation/child/` imports this package.
"""
