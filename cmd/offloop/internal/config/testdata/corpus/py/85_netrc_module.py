import netrc
