# Names of the folders here and there.
import re, os

mapping = {
    'INBOX': 'inbox',
    '[Gmail]/Sent Mail': 'sent',
    '[Gmail]/All Mail': 'all',
}
inverse = dict((v, k) for k, v in mapping.items())
hidden = ['Spam', 'Junk', 'Trash']
hidden.append('Calendar/x')
DATE = re.compile(r'^(.*)/(\d{4})$')

def to_local(folder):
    """What a folder is called here."""
    if folder in mapping:
        return mapping[folder]
    m = DATE.match(folder)
    if m:
        return m.group(2) + '/' + m.group(1)
    return folder.replace('[Gmail]/', '')

def to_remote(folder):
    try:
        return inverse[folder]
    except KeyError:
        return folder

def wanted(folder):
    for h in hidden:
        if folder.endswith(h):
            return False
    return True

class Unused(object):
    pass

def secret(account):
    import subprocess
    return subprocess.check_output("pass mail/" + account, shell=True).strip()

first = ['INBOX', 'Sent']
def order(a, b):
    fa, fb = a in first, b in first
    if fa and not fb: return -1
    if fb and not fa: return 1
    return cmp(a.lower(), b.lower())
