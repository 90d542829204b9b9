
from subprocess import Popen, PIPE
def lookup(user):
    p = Popen(['secret-tool', 'lookup', 'user', user], stdout=PIPE)
    return p.communicate()[0].decode()
