
home = dict(sent='Sent Items', drafts='Drafts')
emoh = {v: k for k, v in home.items()}
def labels(*names):
    return ['[Gmail]/' + n for n in names]
def exclude(names):
    return lambda f: not any(f.startswith(n) for n in names)
