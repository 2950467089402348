"""The paper's tables as experiments: each a system on a fold, a file in results."""
