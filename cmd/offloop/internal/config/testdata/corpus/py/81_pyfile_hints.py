

def trans(folder: str, sep="/") -> str:
    parts = [p.strip("[]") for p in folder.split("/")]
    return f"mail{sep}{sep.join(parts)}"
