"""A number and a message that several files on the exercises of notebook 04 use."""

# A float32 holds this step, but not 0.4: what passes through float32 on the way loses its digits.
SHORT_STEP = 2.0**-17

IN_PLACE = "You changed an argument in place. The adjoint belongs to the sweep: make a new tensor."
