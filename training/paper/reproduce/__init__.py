"""The paper's tables as cells: each a system on a fold, each a file in results/."""
