"""The daemon under load, under faults and over hours; `docs/soak.md` is made by it."""
