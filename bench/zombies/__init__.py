"""Who refuses a zombie: each system's jobs, rescues and late writes, for `python -m bench zombie`."""
