# The studio in a container.
#   docker build -t sentence-studio .                                                            # processors
#   docker build -t sentence-studio --build-arg TORCH=https://download.pytorch.org/whl/cu128 .   # NVIDIA GPUs
#   docker run -p 127.0.0.1:7860:7860 -v studio:/data [--gpus all] sentence-studio
FROM python:3.12-slim

# Which build of PyTorch: an index of https://pytorch.org.
ARG TORCH=https://download.pytorch.org/whl/cpu

RUN useradd --create-home --uid 1000 studio && install -d -o studio /data
WORKDIR /opt/sentence-studio

# What rarely changes comes first, so that a new version of the studio does not download it all again.
RUN pip install --no-cache-dir "torch>=2.8,<2.14" --index-url "$TORCH"
COPY pyproject.toml README.md LICENSE ./
COPY studio ./studio
COPY assets ./assets
COPY app.py ./
RUN pip install --no-cache-dir --editable ".[static]"

USER studio
ENV STUDIO_HOST=0.0.0.0 STUDIO_WORKSPACE=/data/workspace HF_HOME=/data/huggingface
VOLUME /data
EXPOSE 7860
HEALTHCHECK --start-period=60s CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:7860/healthz', timeout=5)"]
# Runs are processes of their own and end with the container; they go on from their last checkpoint when it starts again.
CMD ["sentence-studio", "serve"]
