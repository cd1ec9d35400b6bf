"""Encoders on a stream: what each declared layer keeps of the past, and the parts that come of it.

`plan` derives it all from the declaration, without torch; `rings` runs it on any number of frames at a time;
`step` is the same with fixed shapes and explicit state, which every format can hold.
"""
