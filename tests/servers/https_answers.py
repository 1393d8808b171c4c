#!/usr/bin/python3
"""An HTTPS server with a certificate of its own making: https_answers.py DIR CONNECTIONS

Writes DIR/ca.pem, prints its port, answers each request with the bytes "secure", ends after so many connections
(failed handshakes count) or a minute. Exit status 77 where the openssl program is not installed.
"""
import pathlib
import shutil
import socket
import ssl
import subprocess
import sys


def main():
    directory = pathlib.Path(sys.argv[1])
    if not shutil.which("openssl"):
        sys.exit(77)
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", directory / "key.pem",
         "-out", directory / "ca.pem"],
        check=True, stderr=subprocess.DEVNULL)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "ca.pem", directory / "key.pem")
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(60)
    print(listener.getsockname()[1], flush=True)
    for _ in range(int(sys.argv[2])):
        connection, _ = listener.accept()
        connection.settimeout(60)
        try:
            with context.wrap_socket(connection, server_side=True) as secure:
                request = b""
                while b"\r\n\r\n" not in request:
                    request += secure.recv(65536)
                secure.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nsecure")
        except (ssl.SSLError, ConnectionError):
            continue


main()
