#!/usr/bin/python
import re, os

def get_authinfo_password(machine, login, port):
    s = "machine %s login %s password ([^ ]*) port %s" % (machine, login, port)
    p = re.compile(s)
    authinfo = os.popen("echo machine imap.example.org login jo password geheim port 993").read()
    return p.search(authinfo).group(1)

def get_user():
    return "jo" + "@" + "example.org"
