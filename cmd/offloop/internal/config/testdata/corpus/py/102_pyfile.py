#!/usr/bin/env python
import re
mapping = {
    'INBOX': 'inbox',
    'Sent Items': 'sent',
    'Deleted Items': 'trash',
}
prio = ['INBOX', 'Work', 'Lists']

r_mapping = dict([(v, k) for k, v in mapping.items()])

def local_name(folder):
    try:
        return mapping[folder]
    except KeyError:
        return re.sub(' ', '_', folder).lower()

def remote_name(folder):
    return r_mapping.get(folder, folder)

def is_wanted(folder):
    for x in ('Junk', 'Spam'):
        if x in folder:
            return False
    return True

def index(f):
    for i, p in enumerate(prio):
        if f.startswith(p):
            return i
    return len(prio)

def compare(a, b):
    return index(a) - index(b)
