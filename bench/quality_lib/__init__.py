"""The parts of `bench/quality`: what is run, how, and what is written about it. Python's standard library only."""
