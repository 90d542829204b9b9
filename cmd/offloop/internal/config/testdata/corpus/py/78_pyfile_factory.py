
def renamer(prefix, sep='.'):
    def f(name):
        if name == 'INBOX':
            return prefix
        return prefix + sep + name
    return f

def unrenamer(prefix):
    return lambda name: name[len(prefix) + 1:] or 'INBOX'

def excluder(*names):
    return lambda folder: folder not in names
