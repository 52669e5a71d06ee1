"""Signs of trouble that a training shows early, looked for along runs that are trained anew: two commands."""
