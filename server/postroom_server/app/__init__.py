"""The composition root: wiring, the node, the supervisor and the commands; the only room that names concrete classes."""
