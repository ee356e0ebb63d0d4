# Stands in for versitygw's own image where no registry of images can be reached: the same program at the same place.
# It is for tests alone.
ARG BASE
FROM ${BASE}
COPY versitygw /usr/local/bin/versitygw
ENTRYPOINT ["/usr/local/bin/versitygw"]
