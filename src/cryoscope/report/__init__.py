"""What a person is shown: tables and trees of text, made of records.

Every string of an archive passes `cryoscope.text.escape` on its way here, in `Table` and
`Outline`, so that nothing in a checkpoint can steer a terminal.
"""
