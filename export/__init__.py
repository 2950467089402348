"""Checkpoint -> bundle: graphs, parity proof, manifest, evidence, card.

bundle     writes the folder, whole or not at all
parity     proof that the incremental graphs compute what the whole network does
evidence   what was measured elsewhere, checked to be of this model
card       manifest and evidence as a page
features   what the numbers before the last layer mean, beside the graphs
corpora    licence and credit of corpora
voice      the voice encoder of `listen --tell-speakers`, of no bundle
pack       the bundle's adaptation pack, with speakers held out
"""
