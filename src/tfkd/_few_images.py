"""How many images a temperature needs to be fitted on.

Simulated, 120 fits each: ten classes, logits drawn from a normal distribution so wide that the
network is right in 52, 74, 89 and 96 % of the images, and so sure as it is right, or T = 1.5 times
too sure. What the fitted temperature does to the mean NLL of other images:

    images    of a calibrated network    of one too sure, by T = 1.5
         5      +7 to +132 %               -2 to +112 %
        10      +4 to  +71 %               -3 to  +54 %
        20      +2 to  +40 %               -5 to  +26 %
        50      +1 to  +11 %               -2 to   -7 %
       100       0 to   +5 %               -6 to   -8 %
       200       0 to   +1 %               -6 to  -10 %

From 50 images on it helps a network that needs it, whatever its accuracy; only from 200 on is there
little harm to one that does not.
"""

LEAST = 50
"""Images below which a temperature is not used unless it is asked for."""

FEW = 200
"""Images below which it is said that they fit a temperature badly."""
