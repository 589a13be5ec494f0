"""What a checkpoint is: bytes in, records out.

Nothing in this room touches the network, a clock, settings or the terminal, and nothing is
written.  What it cannot read it names (`Damaged`) beside what it could.
"""
