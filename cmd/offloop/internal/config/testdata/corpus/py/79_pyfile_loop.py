
from functools import reduce
rules = (
    (r'^\[Gmail\]/', ''),
    (r'\s+', '_'),
    (r'[^A-Za-z0-9_/.]', '-'),
)
import re
def trans(name):
    for pattern, repl in rules:
        name = re.sub(pattern, repl, name)
    return name.lower()

def keep(name, names):
    return reduce(lambda a, b: a or b, [name.startswith(n) for n in names])
