# Stands in for the official PostgreSQL image where no registry of images can be reached: the same settings, from
# Debian's packages. It is for tests alone.
ARG BASE
FROM ${BASE}
RUN apt-get update && apt-get install --yes --no-install-recommends postgresql && rm -rf /var/lib/apt/lists/* \
    && ln -s /usr/lib/postgresql/*/bin /opt/postgresql \
    && rm -rf /var/lib/postgresql/* && chown postgres:postgres /var/lib/postgresql
COPY postgres.sh /usr/local/bin/
USER postgres
VOLUME /var/lib/postgresql
ENTRYPOINT ["/usr/local/bin/postgres.sh"]
