"""The audit's proof: verifying its chains, exporting them, and retiring the months that are over.

key       the key that signs what is left of a retired month
records   what the database says of a chain
source    where the rows come from: the owner's connection, or the API as a tenant's admin
verify    every chain of a source, from its first row to its head
file      an export as lines, which is verified without a database
retire    dropping a month
"""
