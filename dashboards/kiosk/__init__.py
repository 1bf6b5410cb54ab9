"""The operator's kiosk: what may run here, the step at hand, weighing, signing, stop reasons.

`look` says what a screen shows and what may be done, without widgets; the other modules draw.
"""
