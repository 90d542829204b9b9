
import subprocess
def get_token(name):
    return subprocess.run(["mutt_oauth2.py", name], capture_output=True, text=True).stdout.strip()
