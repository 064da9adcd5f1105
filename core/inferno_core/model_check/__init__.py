"""The model check of the token log (rule 15): the production state machines, driven through their interleavings.

`world` holds a log, a group, workers and engines, and the steps that may happen next; `properties` what must hold;
`search` visits every state of a small scenario, or walks at random through a larger one; `mutants` are the rules
switched off, each of which must be found out.
"""
