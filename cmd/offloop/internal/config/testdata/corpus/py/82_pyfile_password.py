#!/usr/bin/python
import subprocess
from subprocess import check_output
import re, os

def get_pass(account, server):
    out = check_output(['pass', account])
    return out.splitlines()[0].decode('utf-8')

def authinfo(machine, login, port):
    s = "machine %s login %s port %s password ([^ ]*)" % (machine, login, port)
    p = re.compile(s)
    return p.search(os.popen("gpg -q --no-tty -d ~/.authinfo.gpg").read()).group(1)
