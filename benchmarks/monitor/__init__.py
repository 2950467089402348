"""The web monitor in a real browser, before a real daemon.

    python -m benchmarks.monitor screenshots    # docs/monitor/, of the bundled minute
    python -m benchmarks.monitor cost           # memory and time of page and daemon

screenshots    pictures for docs/monitor.md
cost           an hour of events in the page, and three pages at a daemon
"""
