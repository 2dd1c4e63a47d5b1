"""What comes before training: feature files -> checks -> TFDS data sets.

A data set's way: its source (`sources/`, listed in `registry`) collects its
videos, `checking` reads every file once, `writing` makes the examples and
`builder` writes them; `staging` makes it atomic.
"""
