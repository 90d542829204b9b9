# Reads configuration files the way OfflineIMAP does and prints, as JSON,
# {file: {"error": text} or {section: {key: value or null}}}. With the
# argument "eval" it reads [expression, [argument lists], pythonfile] from
# standard input and prints the values instead: [ok, value]; without argument
# lists, the expression's own value.
import configparser, json, re, sys

if sys.argv[1] == "eval":
    out = []
    for src, calls, pyfile in json.load(sys.stdin):
        row = []
        for args in calls or [None]:
            try:
                ns = {}
                if pyfile:
                    exec(open(pyfile).read(), ns)
                ns["re"] = re
                v = eval(src, ns)
                if args is not None:
                    v = v(*args)
                if not isinstance(v, (str, int, list, tuple)) or isinstance(v, bool):
                    v = bool(v)
                row.append([True, v])
            except Exception as e:
                row.append([False, type(e).__name__])
        out.append(row)
    print(json.dumps(out))
    sys.exit()

out = {}
for name in sys.argv[1:]:
    p = configparser.ConfigParser(strict=False)
    try:
        with open(name, encoding="utf-8") as f:
            p.read_file(f)
    except configparser.Error as e:
        out[name] = {"error": {"text": type(e).__name__}}
        continue
    d = {}
    for s in p.sections():
        d[s] = {}
        for k in p.options(s):
            try:
                d[s][k] = p.get(s, k)
            except configparser.Error:
                d[s][k] = None
    out[name] = d
print(json.dumps(out))
