"""The vault: secrets that tools use. Sealed in the database, opened where the master key is, and kept out of what is
recorded, shown and stored.

keys       the master key and those before it, from the settings
sealing    a value to what the database holds, and back
scrub      finding values in text and bytes, however they are written
redact     the same in the files of a workspace, and in what is packed there (unpack)
guard      the values of one run: resolved for a call, kept out of its output
operate    putting, listing, removing and rotating, for people and operators
"""
