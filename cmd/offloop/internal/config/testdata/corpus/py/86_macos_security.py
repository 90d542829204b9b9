
import re, subprocess
def security(account):
    cmd = "security 2>&1 find-internet-password -ga %s" % account
    out = subprocess.check_output(cmd, shell=True)
    return re.match(r'password: "(.*)"', out).group(1)
