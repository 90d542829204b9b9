names = {
    "[Gmail]/Sent Mail": "sent",
    "[Gmail]/Drafts": "drafts",
    "INBOX": "inbox",
}
inverse = {v: k for k, v in names.items()}
assert len(names) == len(inverse), "two folders with one name"

def look(folder, table):
    """ The other name of a folder. """
    return table.get(folder, folder)

forth = lambda folder: look(folder, names)
back = lambda folder: look(folder, inverse)
