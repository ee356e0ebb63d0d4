#!/bin/sh
# Makes the database at the first start, as the official image does, and runs the server.
set -eu
data=/var/lib/postgresql/data
if [ ! -s "$data/PG_VERSION" ]; then
    echo "$POSTGRES_PASSWORD" >/tmp/password
    /opt/postgresql/initdb -D "$data" -U "$POSTGRES_USER" --pwfile=/tmp/password --auth=scram-sha-256 -E UTF8
    rm /tmp/password
    echo "CREATE DATABASE $POSTGRES_DB" | /opt/postgresql/postgres --single -D "$data" postgres
    echo "host all all all scram-sha-256" >>"$data/pg_hba.conf"
fi
exec /opt/postgresql/postgres -D "$data" -c listen_addresses='*' -c unix_socket_directories=/tmp
