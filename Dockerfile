# The toolbox with all of its plugins, for a CPU: README says how to use it. `--build-arg TORCH_BACKEND=cu130` takes a build
# of PyTorch for a GPU instead, or any other that `uv pip install` knows.

FROM python:3.13-slim AS build
RUN pip install --no-cache-dir uv
ENV VIRTUAL_ENV=/opt/restoration UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy
RUN uv venv "$VIRTUAL_ENV"

# What is large and changes seldom has a layer of its own, whatever happens to the sources.
ARG TORCH_BACKEND=cpu
RUN --mount=type=cache,target=/root/.cache/uv \
    uv pip install --torch-backend "$TORCH_BACKEND" torch torchvision

WORKDIR /source
COPY . .
RUN --mount=type=cache,target=/root/.cache/uv \
    uv pip install --torch-backend "$TORCH_BACKEND" --no-editable . ./plugins/*/

FROM python:3.13-slim
COPY --from=build /opt/restoration /opt/restoration
ENV PATH=/opt/restoration/bin:$PATH
# Any user may run the image. What the Hub gave stays with `--volume hub:/home/restore/.cache`.
RUN useradd --create-home --uid 1000 restore && install --directory --mode 1777 --owner restore /home/restore/.cache
ENV HOME=/home/restore
USER restore
WORKDIR /pictures
ENTRYPOINT ["restore"]
CMD ["--help"]
