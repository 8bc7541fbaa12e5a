"""Rehearsals: searches replayed without training, on synthetic functions and on tables of measured graphs.

From the bottom: `problem` is what is searched, `functions` and `synthetic` make problems whose truth is known, `table`
and `measured` make them of measured trainings; `strategies` are who searches, `workers` simulates one search, `runs`
does many of them into a file that can be gone on with, `report` says what they gave.
"""
